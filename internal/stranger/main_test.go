package stranger

import (
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/text/unicode/norm"
)

func TestMain(m *testing.M) {
	isNFC = norm.NFC.IsNormalString
	goleak.VerifyTestMain(m)
}
