# Flags beat the environment, which beats the file; the key is not shown.
mkdir -p .config/genset
cat >.config/genset/config.yaml <<'END'
models: ~/models
ctx: 4096
threads: 1
api_key: hunter2
sampling:
  top_k: 7
END
GENSET_THREADS=2 GENSET_LOG_LEVEL=debug "$genset" config show | sed "s|$HOME|HOME|"
