# status 2
cat >genset.yaml <<'END'
threads: 80x
lsiten: localhost:1
kv_memory: 8 gigs
keepalive: 30
providers:
  anthropic: {kind: antropic}
sampling:
  temperatur: 1
models: [a, {b: c}]
END
GENSET_CTX=010 "$genset" serve --config genset.yaml --kv-type q8
