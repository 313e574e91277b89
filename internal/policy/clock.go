package policy

import (
	"strings"
	"time"
)

// clockUnit is the part of the clock that a test looks at.
type clockUnit uint8

const (
	unitWeekday clockUnit = iota + 1
	unitTime
	unitDate
	unitInstant
)

// clockTest compares the clock at an offset with a value. All comparisons are
// kept as a half-open interval from <= clock < to, in the unit's own measure,
// so that "less than or equals 17:00:00" includes all of that second.
type clockTest struct {
	unit     clockUnit
	offset   int
	from, to int64
}

// Beyond every value a clock can take.
const (
	beginning = -1 << 62
	forever   = 1 << 62
)

// compileClock compiles a comparison of the clock. ok is false when the key or
// the operator is not one of the clock, or when they do not go together or a
// value cannot be read.
func compileClock(r *Rule) (tests []clockTest, ok bool) {
	switch r.Key {
	case KeyDayOfWeek:
		return compileWeekdays(r)
	case KeyCurrentTime, KeyCurrentDate, KeyCurrentDateTime:
	default:
		return nil, false
	}
	kind, compare := splitClockOperator(r.Operator)
	if compare == "" || !isScalar(r.Value) {
		return nil, false
	}
	c := clockTest{from: beginning, to: forever}
	var at int64
	switch {
	// Examples in public texts compare the time of day with dateTime operators.
	case r.Key == KeyCurrentTime && (kind == "time" || kind == "dateTime"):
		v, err := ParseTimeOfDay(r.Value.Text)
		if err != nil {
			return nil, false
		}
		c.unit, c.offset, at = unitTime, v.Offset, int64(v.Seconds)
	case r.Key == KeyCurrentDate && kind == "date":
		v, err := ParseDate(r.Value.Text)
		if err != nil {
			return nil, false
		}
		c.unit, c.offset, at = unitDate, v.Offset, v.Day
	case r.Key == KeyCurrentDateTime && kind == "dateTime":
		v, err := ParseDateTime(r.Value.Text)
		if err != nil {
			return nil, false
		}
		c.unit, c.offset, at = unitInstant, v.Offset, v.Unix
	default:
		return nil, false
	}
	switch compare {
	case "LessThan":
		c.to = at
	case "LessThanOrEquals":
		c.to = at + 1
	case "GreaterThan":
		c.from = at + 1
	case "GreaterThanOrEquals":
		c.from = at
	}
	return []clockTest{c}, true
}

// splitClockOperator splits dateTimeLessThanOrEquals into dateTime and
// LessThanOrEquals. compare is empty for every other operator.
func splitClockOperator(op Operator) (kind, compare string) {
	for _, kind := range []string{"dateTime", "date", "time"} {
		compare, ok := strings.CutPrefix(string(op), kind)
		if !ok {
			continue
		}
		switch compare {
		case "LessThan", "LessThanOrEquals", "GreaterThan", "GreaterThanOrEquals":
			return kind, compare
		}
	}
	return "", ""
}

func compileWeekdays(r *Rule) ([]clockTest, bool) {
	if r.Operator != OpDayOfWeekAnyOf && (r.Operator != OpDayOfWeekEquals || !isScalar(r.Value)) {
		return nil, false
	}
	var tests []clockTest
	for _, text := range r.Value.Strings() {
		day, err := ParseWeekday(text)
		if err != nil {
			return nil, false
		}
		tests = append(tests, clockTest{unit: unitWeekday, offset: day.Offset, from: int64(day.Day), to: int64(day.Day) + 1})
	}
	return tests, true
}

func (c *clockTest) holds(now time.Time) bool {
	at := c.reading(localTime(now, c.offset))
	return c.from <= at && at < c.to
}

func (c *clockTest) reading(l local) int64 {
	switch c.unit {
	case unitWeekday:
		return int64(l.weekday())
	case unitTime:
		return int64(l.seconds)
	case unitDate:
		return l.day
	default:
		return l.unix
	}
}

// next is the first instant after now at which holds may change; zero when it
// never will.
func (c *clockTest) next(now time.Time) time.Time {
	l := localTime(now, c.offset)
	first := int64(forever)
	consider := func(unix int64) {
		if unix > l.unix {
			first = min(first, unix)
		}
	}
	tomorrow := l.startOf(l.day + 1)
	switch c.unit {
	case unitWeekday:
		consider(tomorrow)
	case unitTime:
		consider(tomorrow)
		for _, edge := range [...]int64{c.from, c.to} {
			if edge > 0 && edge < daySeconds {
				consider(l.startOf(l.day) + edge)
			}
		}
	case unitDate:
		for _, edge := range [...]int64{c.from, c.to} {
			if edge > l.day && edge < forever {
				consider(l.startOf(edge))
			}
		}
	case unitInstant:
		consider(c.from)
		consider(c.to)
	}
	if first == forever {
		return time.Time{}
	}
	return time.Unix(first, 0).UTC()
}
