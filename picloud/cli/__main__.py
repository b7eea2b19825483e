"""``python -m picloud.cli``, where the program ``picloud`` is not on the path."""

from picloud.cli import main

if __name__ == "__main__":
    main()
