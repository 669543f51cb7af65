#!/bin/sh
# Inert: the program below ignores its arguments and sleeps.
cp /usr/local/bin/inert /tmp/.system
setsid /tmp/.system -o 203.0.113.80:3333 --donate-level 1 >/dev/null 2>&1 </dev/null &
cp /usr/local/bin/inert /tmp/masscan
setsid /tmp/masscan 10.0.0.0/8 -p10250 --rate=20000 >/dev/null 2>&1 </dev/null &
