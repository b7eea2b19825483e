"""A bank as objects.

Rhai has no classes, its objects are maps with function pointers. An ordinary Python programmer writes a class with
methods, and leaves ``__slots__`` to libraries.
"""


class Account:
    def __init__(self, id, balance):
        self.id = id
        self.balance = balance
        self.refused = 0
        self.history = 0

    def deposit(self, amount):
        self.balance += amount
        self.history += 1

    def withdraw(self, amount):
        if self.balance < amount:
            self.refused += 1
            return False
        self.balance -= amount
        self.history += 1
        return True

    def interest(self, percent):
        earned = self.balance * percent // 100
        self.deposit(earned)


def run():
    accounts = []
    for i in range(50):
        accounts.append(Account(i, 1_000))

    seed = 1
    for turn in range(5_000):
        for _ in range(10):
            seed = (seed * 75 + 74) % 65_537
            source = seed % 50
            target = (seed // 50) % 50
            amount = seed % 700
            if accounts[source].withdraw(amount):
                accounts[target].deposit(amount)
        if turn % 100 == 0:
            for i in range(50):
                accounts[i].interest(2)

    balance = 0
    refused = 0
    history = 0
    for account in accounts:
        balance += account.balance
        refused += account.refused
        history += account.history
    return [balance, refused, history]
