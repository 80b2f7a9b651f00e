# status 2
# Beyond this machine a key is required.
"$genset" serve standin --listen 0.0.0.0:0
