# Traces are asked of the running server; what is no id is not sent.
"$genset" trace '../../v1/models'
echo "status $?"
"$genset" trace req_0 --listen 127.0.0.1:1
echo "status $?"
