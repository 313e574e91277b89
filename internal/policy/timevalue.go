package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// TimeOfDay is a time on the clock at a fixed offset from UTC.
type TimeOfDay struct {
	// Seconds since midnight, 0 to 86399.
	Seconds int
	// Offset from UTC in seconds, at most 14 hours either way.
	Offset int
}

// Date is a calendar day at a fixed offset from UTC.
type Date struct {
	// Day counts days since 1970-01-01.
	Day int64
	// Offset from UTC in seconds.
	Offset int
}

// DateTime is an instant, with the offset it was written in.
type DateTime struct {
	// Unix is the instant in seconds since 1970-01-01 UTC.
	Unix int64
	// Offset from UTC in seconds.
	Offset int
}

// Weekday is a day of the week at a fixed offset from UTC.
type Weekday struct {
	// Day is 1 for Monday to 7 for Sunday.
	Day int
	// Offset from UTC in seconds.
	Offset int
}

// Errors of the value parsers.
var (
	ErrOffset   = errors.New("offset must be written ±hh:mm, at most 14 hours")
	ErrTime     = errors.New("time must be written hh:mm:ss±hh:mm")
	ErrDate     = errors.New("date must be written YYYY-MM-DD±hh:mm")
	ErrDateTime = errors.New("date and time must be written YYYY-MM-DDThh:mm:ss±hh:mm")
	ErrWeekday  = errors.New("day of week must be written 1 to 7 (Monday is 1), with an optional ±hh:mm")
)

const (
	daySeconds = 24 * 60 * 60
	// maxOffset is the largest offset in civil use (UTC+14).
	maxOffset = 14 * 60 * 60
)

// ParseOffset reads ±hh:mm and returns seconds east of UTC.
func ParseOffset(s string) (int, error) {
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, ErrOffset
	}
	h, okH := twoDigits(s[1:3], 14)
	m, okM := twoDigits(s[4:6], 59)
	seconds := h*3600 + m*60
	if !okH || !okM || seconds > maxOffset {
		return 0, ErrOffset
	}
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, nil
}

// twoDigits reads exactly two digits with a value of at most limit.
func twoDigits(s string, limit int) (int, bool) {
	if s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9' {
		return 0, false
	}
	n := int(s[0]-'0')*10 + int(s[1]-'0')
	return n, n <= limit
}

// splitOffset cuts the ±hh:mm from the end of a value.
func splitOffset(s string) (string, int, error) {
	if len(s) < 6 {
		return "", 0, ErrOffset
	}
	offset, err := ParseOffset(s[len(s)-6:])
	return s[:len(s)-6], offset, err
}

// ParseTimeOfDay reads hh:mm:ss±hh:mm.
func ParseTimeOfDay(s string) (TimeOfDay, error) {
	clock, offset, err := splitOffset(s)
	if err != nil {
		return TimeOfDay{}, ErrTime
	}
	seconds, ok := clockSeconds(clock)
	if !ok {
		return TimeOfDay{}, ErrTime
	}
	return TimeOfDay{Seconds: seconds, Offset: offset}, nil
}

func clockSeconds(s string) (int, bool) {
	if len(s) != 8 || s[2] != ':' || s[5] != ':' {
		return 0, false
	}
	h, okH := twoDigits(s[0:2], 23)
	m, okM := twoDigits(s[3:5], 59)
	sec, okS := twoDigits(s[6:8], 59)
	return h*3600 + m*60 + sec, okH && okM && okS
}

// ParseDate reads YYYY-MM-DD±hh:mm.
func ParseDate(s string) (Date, error) {
	day, offset, err := splitOffset(s)
	if err != nil {
		return Date{}, ErrDate
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return Date{}, ErrDate
	}
	return Date{Day: floorDiv(t.Unix(), daySeconds), Offset: offset}, nil
}

// ParseDateTime reads YYYY-MM-DDThh:mm:ss±hh:mm.
func ParseDateTime(s string) (DateTime, error) {
	local, offset, err := splitOffset(s)
	if err != nil {
		return DateTime{}, ErrDateTime
	}
	day, clock, ok := strings.Cut(local, "T")
	seconds, okClock := clockSeconds(clock)
	if !ok || !okClock {
		return DateTime{}, ErrDateTime
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return DateTime{}, ErrDateTime
	}
	return DateTime{Unix: t.Unix() + int64(seconds) - int64(offset), Offset: offset}, nil
}

// ParseWeekday reads a day number with an optional offset: "3", "3+06:00".
func ParseWeekday(s string) (Weekday, error) {
	if s == "" || s[0] < '1' || s[0] > '7' {
		return Weekday{}, ErrWeekday
	}
	w := Weekday{Day: int(s[0] - '0')}
	if len(s) == 1 {
		return w, nil
	}
	offset, err := ParseOffset(s[1:])
	if err != nil {
		return Weekday{}, ErrWeekday
	}
	w.Offset = offset
	return w, nil
}

// String writes the value in the form that ParseTimeOfDay reads.
func (t TimeOfDay) String() string {
	return fmt.Sprintf("%02d:%02d:%02d%s", t.Seconds/3600, t.Seconds/60%60, t.Seconds%60, offsetText(t.Offset))
}

// String writes the value in the form that ParseDate reads.
func (d Date) String() string {
	return time.Unix(d.Day*daySeconds, 0).UTC().Format(time.DateOnly) + offsetText(d.Offset)
}

// String writes the value in the form that ParseDateTime reads.
func (d DateTime) String() string {
	return time.Unix(d.Unix+int64(d.Offset), 0).UTC().Format("2006-01-02T15:04:05") + offsetText(d.Offset)
}

// String writes the value in the form that ParseWeekday reads.
func (w Weekday) String() string { return fmt.Sprintf("%d%s", w.Day, offsetText(w.Offset)) }

func offsetText(offset int) string {
	sign := '+'
	if offset < 0 {
		sign, offset = '-', -offset
	}
	return fmt.Sprintf("%c%02d:%02d", sign, offset/3600, offset/60%60)
}

// local is an instant on the clock of a fixed offset.
type local struct {
	unix    int64 // the instant
	day     int64 // days since 1970-01-01, at the offset
	seconds int   // since midnight, at the offset
}

// localTime cuts the instant to whole seconds first: rules are written in
// seconds and their bounds include the whole second.
func localTime(now time.Time, offset int) local {
	unix := now.Unix()
	shifted := unix + int64(offset)
	day := floorDiv(shifted, daySeconds)
	return local{unix: unix, day: day, seconds: int(shifted - day*daySeconds)}
}

// weekday is 1 for Monday to 7 for Sunday; 1970-01-01 was a Thursday.
func (l local) weekday() int { return int(((l.day+3)%7+7)%7) + 1 }

// startOf is the instant at which a day begins at the offset l was made with.
func (l local) startOf(day int64) int64 { return l.unix - int64(l.seconds) + (day-l.day)*daySeconds }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
