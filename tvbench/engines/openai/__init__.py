"""Any OpenAI-compatible server: what is sent (messages, wire), when again (retry), and who answers (server, identity).

Knows no checkpoint: the server has it. The key is kept out of every text (secret).
"""
