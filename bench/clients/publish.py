def machine(): return {}
def tables(r, c): return ""
def write(p, t): pass
