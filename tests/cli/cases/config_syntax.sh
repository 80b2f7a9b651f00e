# status 2
printf 'listen: 127.0.0.1:0\nmodels: [a, b\nctx: 1\n' >genset.yaml
"$genset" doctor --config genset.yaml
