// Comfort only: the page can be read, switched and printed without this.
(function () {
  "use strict";
  var d = document, root = d.documentElement;
  function $(s, e) { return [].slice.call((e || d).querySelectorAll(s)); }

  // language: the radio buttons already switch by style; names for screen readers and the address bar follow
  function lang(l) {
    root.dataset.lang = l;
    root.lang = l === "zh" ? "zh-Hans" : "en";
    $("[data-en]").forEach(function (e) { e.setAttribute("aria-label", l === "zh" ? e.dataset.zh : e.dataset.en); });
  }
  $(".lang input").forEach(function (b) { b.addEventListener("change", function () { if (b.checked) lang(b.value); }); });
  var asked = /[?&]lang=(en|zh)\b/.exec(location.search);
  if (asked) { d.getElementById("lang-" + asked[1]).checked = true; lang(asked[1]); }

  // one step lights up everywhere: picture, phone list, step list
  var lit = [];
  function hot(names) {
    lit.forEach(function (e) { e.classList.remove("hot"); });
    lit = [];
    (names || "").split(" ").filter(Boolean).slice(0, 40).forEach(function (n) {
      $('[data-s~="' + n + '"]').forEach(function (e) { e.classList.add("hot"); lit.push(e); });
    });
    $(".pic").forEach(function (p) { p.classList.toggle("dim", lit.some(function (e) { return p.contains(e); })); });
  }
  function over(e) { var t = e.target.closest && e.target.closest("[data-s]"); hot(t ? t.dataset.s : ""); }
  d.addEventListener("mouseover", over);
  d.addEventListener("focusin", over);

  function open() {
    var e = location.hash.length > 1 && d.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!e) return;
    var box = e.matches("li") && e.querySelector("details");
    if (box) box.open = true;
    var s = /^(i\d+)[sp](\d+)$/.exec(e.id);
    if (s) hot(s[1] + "s" + s[2]);
  }
  addEventListener("hashchange", open);
  open();

  $(".copy").forEach(function (c) { c.hidden = false; });
  d.addEventListener("click", function (e) {
    var a = e.target.closest("a[href^='#']");
    if (a && a.hash === location.hash) open();
    var c = e.target.closest(".copy");
    if (!c) return;
    var pre = c.previousElementSibling;
    (navigator.clipboard ? navigator.clipboard.writeText(pre.textContent) : Promise.reject()).then(
      function () { c.classList.add("done"); setTimeout(function () { c.classList.remove("done"); }, 1600); },
      function () { getSelection().selectAllChildren(pre); });
  });
  $(".all").forEach(function (all) {
    all.hidden = false;
    all.onclick = function () {
      var o = all.getAttribute("aria-pressed") !== "true";
      all.setAttribute("aria-pressed", o);
      $(".step details", all.closest("section")).forEach(function (x) { x.open = o; });
    };
  });

  // filters over tables: every word of the text must occur; lists match whole values
  $(".filt").forEach(function (box) {
    box.hidden = false;
    var rows = $("tbody tr", d.getElementById(box.dataset.for)), texts = null, wait = 0;
    var q = box.querySelector("input[type=search]"), keys = $("[data-key]", box), out = box.querySelector("output");
    function run() {
      texts = texts || rows.map(function (r) { return r.textContent.toLowerCase(); });
      var words = q.value.toLowerCase().split(/\s+/).filter(Boolean), n = 0;
      rows.forEach(function (r, i) {
        var ok = words.every(function (w) { return texts[i].indexOf(w) >= 0; }) && keys.every(function (k) {
          if (k.type === "checkbox") return !k.checked || r.dataset[k.dataset.key] === "1";
          return !k.value || r.dataset[k.dataset.key] === k.value;
        });
        r.hidden = !ok;
        n += ok ? 1 : 0;
      });
      out.textContent = n.toLocaleString("en");
    }
    box.addEventListener("input", function () { clearTimeout(wait); wait = setTimeout(run, 60); });
  });
})();
