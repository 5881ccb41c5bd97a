"""`python -m leadq` is `leadq`."""

from leadq import main

main()
