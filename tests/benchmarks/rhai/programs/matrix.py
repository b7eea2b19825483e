"""The product of two matrices of 100 × 100 floats, and its trace."""


def matrix(size, step):
    rows = []
    for i in range(size):
        row = []
        for j in range(size):
            row.append(((i * step + j) % 17) / 4.0)
        rows.append(row)
    return rows


def product(a, b):
    size = len(a)
    rows = []
    for i in range(size):
        row = []
        for j in range(size):
            total = 0.0
            for k in range(size):
                total += a[i][k] * b[k][j]
            row.append(total)
        rows.append(row)
    return rows


def run():
    c = product(matrix(100, 3), matrix(100, 5))
    trace = 0.0
    for i in range(len(c)):
        trace += c[i][i]
    return trace
