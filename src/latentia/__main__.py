"""``python -m latentia``, which is what ``torchrun -m latentia`` runs."""

from latentia.cli.main import main

main()
