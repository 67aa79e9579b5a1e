"""Where images come from and how they reach the device. Imports only ``latentia.core``; nothing here needs torch to import."""
