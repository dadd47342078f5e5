"""Tcl scripts run with every vendor command replaced by one that notes down its words.

By Python's own Tcl where it is there (tkinter.Tcl needs no display). `small` is an interpreter for what our scripts are
made of, for machines without it: it notes down the same calls but those within branches and procedures.
"""

from __future__ import annotations

import posixpath
import re

PAIRS = {"{": "}", "[": "]"}
REAL = {"set", "if", "proc", "error", "llength", "lindex", "lsort", "list", "info", "expr", "foreach", "return"}


class Script:
    """Calls of a script at a path; `answers` gives the result of a command by its words, else "" is it."""

    def __init__(self, text, path, answers):
        self.text, self.path, self.answers, self.calls, self.printed = text, path, answers, [], []

    def call(self, *words):
        self.calls.append(words)
        found = self.answers(words)
        return "" if found is None else found

    def file(self, verb, *words):
        """Names are worked out, nothing is touched."""
        match verb:
            case "join":
                return posixpath.join(*words)
            case "dirname":
                return posixpath.dirname(words[0])
            case "normalize":
                return posixpath.normpath(words[0])
        return self.call("file", verb, *words)

    def real(self):
        """Run by Tcl itself; tkinter.TclError for what it refuses."""
        import tkinter

        tcl = tkinter.Tcl()
        tcl.createcommand("unknown", self.call)
        tcl.createcommand("file", self.file)
        tcl.createcommand("glob", lambda *w: self.call("glob", *w))
        tcl.createcommand("source", lambda *w: self.call("source", *w))
        tcl.createcommand("cd", lambda *w: self.call("cd", *w))
        tcl.createcommand("puts", self.printed.append)
        tcl.eval(f"info script {{{self.path}}}")
        tcl.eval(self.text)
        return self.calls

    def small(self):
        """Run by the interpreter below."""
        self.names = {}
        self.run(self.text)
        return self.calls

    def run(self, text):
        result = ""
        for words in commands(text):
            result = self.command(words)
        return result

    def command(self, words):
        if words[0] == "proc" or words[0] == "foreach":
            return ""
        if words[0] == "if":
            condition = words[1][1:-1]
            for k in (m.start() for m in re.finditer(r"\[", condition)):
                self.run(condition[k + 1 : closing(condition, k)])
            return ""
        words = [self.value(w) if w[0] != "{" else w[1:-1] for w in words]
        match words:
            case "set", name, value:
                self.names[name] = value
                return value
            case "info", "script":
                return self.path
            case "file", *rest:
                return self.file(*rest)
            case "list", *rest:
                return " ".join(w if re.fullmatch(r"[^\s{}\"]+", w) else f"{{{w}}}" for w in rest)
            case ("lsort" | "lindex" | "llength"), *rest:
                return rest[-1]
            case "puts", text:
                self.printed.append(text)
                return ""
        return self.call(*words)

    def value(self, text):
        """Variables, commands and escapes in a word replaced."""
        if text.startswith('"'):
            text = text[1:-1]
        out, k = [], 0
        while k < len(text):
            if text[k] == "\\":
                found = re.match(r"\\u([0-9a-f]{4})", text[k:])
                out.append(chr(int(found[1], 16)) if found else text[k + 1])
                k += len(found[0]) if found else 2
            elif text[k] == "$":
                name = re.match(r"\$(\w+)", text[k:])
                out.append(self.names[name[1]])
                k += len(name[0])
            elif text[k] == "[":
                end = closing(text, k)
                out.append(self.run(text[k + 1 : end]))
                k = end + 1
            else:
                out.append(text[k])
                k += 1
        return "".join(out)


def closing(text, start):
    """Where the bracket or brace at `start` ends."""
    depth, k = 0, start
    while k < len(text):
        if text[k] == "\\":
            k += 1
        elif text[k] == text[start]:
            depth += 1
        elif text[k] == PAIRS[text[start]]:
            depth -= 1
            if not depth:
                return k
        k += 1
    raise AssertionError(f"{text[start]} is not closed: {text[start:start + 60]!r}")


def commands(text):
    """The commands of a script, each a list of words as they are written."""
    found, words, word, k = [], [], "", 0

    def done():
        nonlocal word, words
        if word:
            words.append(word)
        word = ""

    while k < len(text):
        c = text[k]
        if c == "#" and not words and not word:
            k = (text + "\n").index("\n", k)
            continue
        if text[k : k + 2] == "\\\n":
            done()
            k += 2
            continue
        if c in "\n;" or c in " \t":
            done()
            if c in "\n;" and words:
                found.append(words)
                words = []
            k += 1
            continue
        if c == "[" or (c == "{" and not word):
            end = closing(text, k)
        elif c == '"' and not word:
            end = k + re.match(r'"(?:\\.|\[[^\]]*\]|[^"\\])*"', text[k:], re.DOTALL).end() - 1
        else:
            end = k + (c == "\\")
        word += text[k : end + 1]
        k = end + 1
    done()
    return [*found, words] if words else found
