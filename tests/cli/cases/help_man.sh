# The manual page is roff without complaints, where a checker is installed.
"$genset" help --man >page.1
head -n 1 page.1
grep -c '^\.TP' page.1 | awk '$1 > 50 { print "options listed" }'
if command -v groff >/dev/null; then
    groff -man -Tutf8 -ww -z page.1
fi
