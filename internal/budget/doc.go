// Package budget says how many clients fit on one machine: it reads the machine's
// limits, lays out workers, source addresses and proxy processes so that a demand
// fits, and names the first wall, with its fix, when none does. All but Read is a
// pure function of its arguments.
package budget
