"""python -m cs_bot.cli: the same as cs-bot."""

from cs_bot.cli.app import main

if __name__ == "__main__":
    main()
