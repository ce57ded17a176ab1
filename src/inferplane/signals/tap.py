"""The name by which the gateway's admin interface hands out requests and answers to whoever asks (`/tap`)."""

CONFIG_ID = "requests"
