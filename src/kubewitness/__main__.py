"""`python -m kubewitness` is the same as the command `kubewitness`."""

from kubewitness.cli.main import main

if __name__ == "__main__":
    main()
