"""Functions that take and return linked lists and trees, which tests have as JSON lists."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job
from sandbox.verdict import Test as Case
from tasks.score.code.languages import with_signature
from tasks.score.code.pool import PRELUDE

ADD = """class Solution:
    def add(self, a: Optional[ListNode], b: Optional[ListNode]) -> Optional[ListNode]:
        head = last = ListNode()
        rest = 0
        while a or b or rest:
            rest += (a.val if a else 0) + (b.val if b else 0)
            last.next = ListNode(rest % 10)
            last, rest = last.next, rest // 10
            a, b = a and a.next, b and b.next
        return head.next
"""
OWN = "class ListNode:\n    def __init__(self, x):\n        self.val, self.next = x, None\n"
INVERT = """class Solution:
    def invert(self, root: 'TreeNode') -> 'TreeNode':
        if root:
            root.left, root.right = self.invert(root.right), self.invert(root.left)
        return root
"""
MERGE = """class Solution:
    def merge(self, lists: List[Optional[ListNode]]) -> Optional[ListNode]:
        values = []
        for one in lists:
            while one:
                values.append(one.val)
                one = one.next
        head = None
        for value in sorted(values, reverse=True):
            head = ListNode(value, head)
        return head
"""
REVERSE = """class Solution:
    def f(self, head: ListNode) -> None:
        a, b = head, head.next
        a.val, b.val = b.val, a.val
"""
LOWEST = """class Solution:
    def f(self, root: 'TreeNode', p: 'TreeNode', q: 'TreeNode') -> 'TreeNode':
        if root in (None, p, q): return root
        a, b = self.f(root.left, p, q), self.f(root.right, p, q)
        return root if a and b else a or b
"""
SPLIT = "def f(root: TreeNode) -> List[TreeNode]:\n    return [root.left, root.right, None]\n"
PLAIN = "class Solution:\n    def f(self, head):\n        return head and head.next\n# ListNode\n"
SIGNATURE = (
    "class Solution:\n    def f(self, head: Optional[ListNode]) -> Optional[ListNode]:\n        "
)
CYCLE = "def f(a: ListNode) -> ListNode:\n    a.next = a\n    return a\n"
# name: program, entry, arguments, value, status
CALLS: dict[str, tuple[str, str, list[Any], Any, str]] = {
    "two lists": (ADD, "add", [[2, 4, 3], [5, 6, 4]], [7, 0, 8], "correct"),
    "wrong": (ADD, "add", [[2, 4, 3], [5, 6, 4]], [7, 0, 9], "wrong_answer"),
    "the annotations are texts": (
        "from __future__ import annotations\nfrom typing import *\n" + ADD,
        "add",
        [[9], [1]],
        [0, 1],
        "correct",
    ),
    "a class of its own": (
        OWN + ADD.replace("= ListNode()", "= ListNode(0)"),
        "add",
        [[9], [1]],
        [0, 1],
        "correct",
    ),
    "empty lists": (ADD, "add", [[], []], [], "correct"),
    "a tree": (INVERT, "invert", [[4, 2, 7, 1, 3, 6, 9]], [4, 7, 2, 9, 6, 3, 1], "correct"),
    "gaps": (INVERT, "invert", [[1, None, 2, 3]], [1, 2, None, None, 3], "correct"),
    "no tree": (INVERT, "invert", [[]], [], "correct"),
    "a list of lists": (MERGE, "merge", [[[1, 4], [], [2]]], [1, 2, 4], "correct"),
    "in place": (REVERSE, "f", [[1, 2, 3]], [2, 1, 3], "correct"),
    "nodes by their values": (LOWEST, "f", [[3, 5, 1, 6, 2], 6, 2], 5, "correct"),
    "a list of trees": (SPLIT, "f", [[1, 2, 3, 4]], [[2, 4], [3], None], "correct"),
    "by the problem's signature": (
        with_signature(PLAIN, {"signature": SIGNATURE}),
        "f",
        [[1, 2, 3]],
        [2, 3],
        "correct",
    ),
    "nothing says so": (PLAIN, "f", [[1, 2, 3]], [2, 3], "runtime_error"),
    "a cycle": (CYCLE, "f", [[1]], [1], "runtime_error"),
    "lists stay lists": ("def f(ListNode): return ListNode\n", "f", [[1]], [1], "correct"),
}


@pytest.mark.parametrize("name", CALLS)
def test_lists_go_in_and_come_out(pool: SandboxPool, name: str):
    program, entry, arguments, value, status = CALLS[name]
    future = "from __future__" in program
    program = program if future else PRELUDE + program
    job = Job(program, (Case(args=tuple(arguments), value=value),), entry)
    found = pool.submit(job).result()
    assert found.status.value == status, found.detail
