# status 1
# A prompt that does not fit is refused with the numbers, not cut.
"$genset" run standin --ctx 64 "$(yes word | head -n 300)" 2>err
status=$?
grep -c '[0-9]' err | awk '$1 > 0 { print "numbers given" }'
exit $status
