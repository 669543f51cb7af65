"""The report of `kubewitness check` in its forms: table, Markdown, JSON, SARIF, HTML."""
