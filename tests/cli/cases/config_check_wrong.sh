# status 2
cat >genset.yaml <<'EOF'
providers:
  mine: {url: https://api.anthropic.com, key: sk-ant-hunter2}
routes:
  - {match: "*", targets: [anthropic, local]}
  - {match: claude-*, targets: local}
budgets:
  mine: {}
EOF
printf 'routes:\n\t- targets: local\n' >tabs.yaml
"$genset" config check tabs.yaml
"$genset" config check genset.yaml
