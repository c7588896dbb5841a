package store

import (
	"encoding/binary"
	"hash/crc32"
	"strconv"

	"go.etcd.io/bbolt"
)

// Where the schema's number stands. The bucket is for this package alone.
var (
	formatBucket = []byte("format")
	schemaKey    = []byte("schema")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksumSize is how many bytes stand before each value: the CRC-32C of key and
// value. bbolt has checksums for its meta pages only.
const checksumSize = 4

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

func seal(key, value []byte) []byte {
	b := make([]byte, checksumSize, checksumSize+len(value))
	binary.BigEndian.PutUint32(b, checksum(key, value))
	return append(b, value...)
}

func unseal(key, sealed []byte) (value []byte, ok bool) {
	if len(sealed) < checksumSize {
		return nil, false
	}
	value = sealed[checksumSize:]
	return value, binary.BigEndian.Uint32(sealed) == checksum(key, value)
}

func writeSchema(tx *bbolt.Tx) error {
	bucket, err := tx.CreateBucketIfNotExists(formatBucket)
	if err != nil {
		return err
	}
	text := []byte(strconv.Itoa(Schema()))
	if value, ok := unseal(schemaKey, bucket.Get(schemaKey)); ok && string(value) == string(text) {
		return nil
	}
	return bucket.Put(schemaKey, seal(schemaKey, text))
}
