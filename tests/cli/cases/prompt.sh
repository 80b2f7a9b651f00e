# status 1
printf '{%% for m in messages %%}<{{ m.role }}>{{ m.content }}\n{%% endfor %%}{{ strftime_now("%%Y-%%m-%%d") }}' >t.jinja
echo '{"messages": [{"role": "user", "content": "hi <b>"}]}' >in.json
"$genset" prompt --template t.jinja --input in.json --now 2026-01-15T09:30:00 || exit 9
echo
"$genset" prompt --template t.jinja --now 2026-01-15T09:30:00 <in.json || exit 9
echo
printf 'line\n{{ messages[0].content ~ }}' >t.jinja
"$genset" prompt --template t.jinja --input in.json
