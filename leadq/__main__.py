"""`python -m leadq` is `leadq`."""

from leadq import main

# The workers of the service import this module too, under another name.
if __name__ == "__main__":
    main()
