package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// What a client may ask for. Python's eval, which stood here, gave every client the server.
const (
	maxLength = 400 // bytes
	maxDepth  = 20  // parentheses and signs in one another
)

// evaluate computes an expression of decimal numbers, + - * / and parentheses. The result is a finite number.
// The text comes from a client; errors quote what they repeat of it.
func evaluate(text string) (float64, error) {
	if len(text) > maxLength {
		return 0, fmt.Errorf("an expression of %d bytes, more than %d", len(text), maxLength)
	}
	c := &calc{rest: text}
	v, err := c.sum()
	if c.skip(); err == nil && c.rest != "" {
		err = fmt.Errorf("%q is out of place", c.rest)
	}
	return v, err
}

// calc reads an expression from left to right.
type calc struct {
	rest  string
	depth int
}

func (c *calc) skip() { c.rest = strings.TrimLeft(c.rest, " ") }

// take goes on behind the next character if it is one of those wanted, and returns it; else 0.
func (c *calc) take(wanted string) byte {
	c.skip()
	if c.rest == "" || strings.IndexByte(wanted, c.rest[0]) < 0 {
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

// sum reads products with + and - between them.
func (c *calc) sum() (float64, error) {
	v, err := c.product()
	for err == nil {
		op := c.take("+-")
		if op == 0 {
			break
		}
		var w float64
		if w, err = c.product(); op == '-' {
			w = -w
		}
		v += w
	}
	return finite(v, err)
}

// product reads factors with * and / between them.
func (c *calc) product() (float64, error) {
	v, err := c.factor()
	for err == nil {
		op := c.take("*/")
		if op == 0 {
			break
		}
		var w float64
		switch w, err = c.factor(); {
		case op == '*':
			v *= w
		case err == nil && w == 0:
			err = errors.New("division by zero")
		default:
			v /= w
		}
	}
	return finite(v, err)
}

// factor reads a number, an expression in parentheses, or one of these with a sign.
func (c *calc) factor() (float64, error) {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxDepth {
		return 0, fmt.Errorf("more than %d parentheses or signs in one another", maxDepth)
	}
	switch c.take("(+-") {
	case '+':
		return c.factor()
	case '-':
		v, err := c.factor()
		return -v, err
	case '(':
		v, err := c.sum()
		if err == nil && c.take(")") == 0 {
			err = errors.New("a ) is missing")
		}
		return v, err
	}
	end := 0
	for end < len(c.rest) && strings.IndexByte("0123456789.", c.rest[end]) >= 0 {
		end++
	}
	v, err := strconv.ParseFloat(c.rest[:end], 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("a number is missing before %q", c.rest)
	}
	c.rest = c.rest[end:]
	return finite(v, nil)
}

// finite refuses what is too large for a number, before a difference of two such makes nonsense of it.
func finite(v float64, err error) (float64, error) {
	if err == nil && (math.IsInf(v, 0) || math.IsNaN(v)) {
		err = errors.New("the result is too large")
	}
	return v, err
}
