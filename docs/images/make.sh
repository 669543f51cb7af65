#!/usr/bin/env bash
# Draws the READMEs' pictures: the demo's HTML report, at desk width reduced to headline and chain, at phone width as it is.
# Needs chromium and ImageMagick. Run it from anywhere, look at the result, commit it.
set -euo pipefail
cd "$(dirname "$0")"
kubewitness=../../.venv/bin/kubewitness
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# For the desk picture everything between headline and chain, and behind it, is hidden in a copy. The report's own
# Content-Security-Policy forbids the added style, so the copy goes without it.
hide='header,nav,.story,.now,.facts,.verdict,.chain~*,footer,main section:not(.lead):not(.chain){display:none!important}'
hide+='.lead{display:block!important}.lead>div,.lead h1{max-width:none!important}.lead,.chain{margin:0!important;padding:8px 0!important}'
shoot() { # page size file
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --disable-background-networking --no-first-run \
    --user-data-dir="$work/profile" --window-size="$2" --screenshot="$work/$3" "file://$work/$1" 2> /dev/null
  convert "$work/$3" -trim +repage -bordercolor '#fdfdfb' -border 16 -strip -colors 96 -define png:compression-level=9 "$3"
}
for language in en zh; do
  "$kubewitness" demo --lang "$language" --output "$work/whole.html" > /dev/null
  sed -E -e 's|<meta http-equiv="Content-Security-Policy"[^>]*>||' -e "s|</head>|<style>$hide</style></head>|" \
    "$work/whole.html" > "$work/chain.html"
  suffix=${language/en/}
  shoot chain.html 1280,1500 "report${suffix:+-$suffix}.png"
  shoot whole.html 390,1100 "report-phone${suffix:+-$suffix}.png"
done
