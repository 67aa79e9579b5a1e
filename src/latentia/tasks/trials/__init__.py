"""What an autoencoder is tried at, one file each: a file says where it stands (``PLACE``) and has ``trials(bench)``, which
yields :class:`~latentia.tasks.trial.Trial` objects, or raises :class:`~latentia.tasks.trial_bench.LeftOut` with the reason."""
