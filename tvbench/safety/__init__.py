"""Text and files of strangers, on their way in and out: bounded when read, made visible when shown. Knows nobody."""
