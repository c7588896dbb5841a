package main

import (
	"fmt"
	"strings"
)

// document is an API description with so many operations, of which the loads call
// a few.
func document(operations int) string {
	var b strings.Builder
	b.WriteString(`openapi: 3.0.3
info: {title: Orders, version: "2.0"}
servers: [{url: "http://api.example.com/v2"}]
paths:
  /orders:
    post:
      operationId: createOrder
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Order"}
      responses: {"200": {description: created}}
  /orders/{id}:
    get:
      operationId: getOrder
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
        - {name: expand, in: query, schema: {type: string, enum: [lines, customer]}}
      responses: {"200": {description: the order}}
  /password-reset:
    post:
      operationId: verifyResetToken
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [code], properties: {code: {type: string, pattern: "^[0-9]{6}$"}}}
      responses: {"200": {description: verified}}
`)
	for i := 3; i < operations; i++ {
		fmt.Fprintf(&b, `  /%s/r%d/{id}:
    get:
      operationId: op%d
      parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
      responses: {"200": {description: it}}
`, [...]string{"users", "repos", "teams", "files", "carts"}[i%5], i, i)
	}
	b.WriteString(`components:
  schemas:
    Order:
      type: object
      required: [customer, currency, lines]
      additionalProperties: false
      properties:
        customer:
          type: object
          required: [id]
          additionalProperties: false
          properties:
            id: {type: string, minLength: 1, maxLength: 40}
            email: {type: string, maxLength: 200}
        currency: {type: string, enum: [EUR, USD, GBP]}
        lines:
          type: array
          minItems: 1
          items:
            type: object
            required: [sku, quantity]
            additionalProperties: false
            properties:
              sku: {type: string, pattern: "^[A-Z]{3}-[0-9]{4}$"}
              quantity: {type: integer, minimum: 1, maximum: 100}
              price: {type: number, minimum: 0}
              note: {type: string, maxLength: 200}
        note: {type: string, maxLength: 2000}
`)
	return b.String()
}
