"""What everything stands on: specs, registry, addressed noise, errors, safe writing. Imports nothing of Latentia."""
