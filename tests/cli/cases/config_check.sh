# What each route does in words; what may be meant otherwise is told, keys are not.
cat >genset.yaml <<'EOF'
providers:
  anthropic: {key: client}
  garage: {kind: openai, url: http://10.0.0.7:8000/v1, key: env:GARAGE_KEY}
  desk: http://localhost:1234/v1
routes:
  - match: claude-*
    when: {images: false, prompt_under: 100000, battery: false, hot: false}
    targets: [anthropic, garage/qwen3.5-27b, local/qwen3.5-4b]
    on_break: error
  - {match: [gpt-*, o1*], targets: [desk, garage], policy: fastest, privacy: redact}
budgets:
  anthropic: {day: 5 USD}
keys:
  anna: {budget: {day: 2 USD, month: 20 USD}, on_break: error}
  ben: {on_break: continue}
privacy:
  - {find: private-key, class: local-only}
  - {find: email, class: redact}
  - {path: "**/.env", class: local-only}
  - {path: "**/.env.example", class: any}
EOF
"$genset" config check genset.yaml
printf 'key-of-ben ben\nkey-of-nobody\n' >keys
GENSET_API_KEY_FILE=keys "$genset" config check genset.yaml 2>&1 >/dev/null | grep 'key "'
GENSET_API_KEY_FILE=missing "$genset" config check genset.yaml 2>&1 >/dev/null | grep missing
echo
GARAGE_KEY=secret "$genset" config check --config genset.yaml 2>&1 | grep -c "secret\|GARAGE_KEY is not set"
echo
"$genset" config check
echo
echo 'listen: 0.0.0.0:8484' >genset.yaml
"$genset" config check genset.yaml | head -n 1
GENSET_API_KEY=secret "$genset" config check genset.yaml | head -n 1
