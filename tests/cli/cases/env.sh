# The environment in the words of shells; what is quoted comes back as it was.
export GENSET_API_KEY="it's a \\ key" GENSET_LISTEN=127.0.0.1:9 GENSET_MODEL=standin
for shell in sh fish powershell; do
    "$genset" env qwen --shell $shell
done
eval "$("$genset" env qwen)"
echo "$OPENAI_API_KEY"
"$genset" env aider | sed "s|$PWD|HOME|"
cat .local/state/genset/launch/aider/models.json
