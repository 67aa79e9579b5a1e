"""Pictures of runs and results. Only this room knows matplotlib; its figures are returned, never shown unasked."""
