# status 2
"$genset" config show --config missing.yaml
