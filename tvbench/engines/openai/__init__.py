"""Any OpenAI-compatible server: what is sent (messages, dialect, wire), when again (retry), what the reply says
(answers, thinking), and who answers (server, identity).

Knows no checkpoint: the server has it. The key is kept out of every text (secret).
"""
