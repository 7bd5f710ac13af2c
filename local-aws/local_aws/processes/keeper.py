from pathlib import Path
class Keeper:
    def __init__(self, log: Path): pass
    def close(self): pass
