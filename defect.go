package apiguard

import (
	"fmt"

	"go.uber.org/zap"
)

// tellDefect logs a panic while judging, with what finds the request in the access log.
func (x *exchange) tellDefect() {
	fields := []zap.Field{
		zap.String("panic", fmt.Sprint(x.verdict.Defect.Panic)), zap.ByteString("stack", x.verdict.Defect.Stack),
		zap.Object("api_guard", x.makeFacts()),
	}
	if x.logged {
		fields = append(fields, zap.String("uuid", x.instance()))
	}
	x.app.logger.Error("panic while judging a request or its answer: a defect of api_guard, report it with this entry", fields...)
}
