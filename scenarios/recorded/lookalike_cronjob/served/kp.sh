# What the scenario's CronJob fetches. The program is the range's inert one: it ignores its arguments and sleeps.
mkdir -p /tmp/.kp && cp /usr/local/bin/inert /tmp/.kp/kube-proxy
cd /tmp/.kp && ./kube-proxy -o pool.example.com:3333 --donate-level=1 --coin=monero -u 4ExampLeWaLLetThatNobodyHasABCDEFGHJKLMNPQRSTUVWXYZabcdefghijk -p x &
echo started
sleep 300
