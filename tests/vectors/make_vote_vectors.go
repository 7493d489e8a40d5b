// Votes as CometBFT 0.39.4 signs them, for tests/ledger/evidence_test.cpp. Run inside a module that requires
// github.com/cometbft/cometbft v0.39.4: go run make_vote_vectors.go

package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"
)

func main() {
	key := ed25519.GenPrivKeyFromSecret([]byte("consilium evidence vector"))
	sum := func(b byte) []byte {
		out := make([]byte, 32)
		for i := range out {
			out[i] = b
		}
		return out
	}
	id := func(b byte) types.BlockID {
		return types.BlockID{Hash: sum(b), PartSetHeader: types.PartSetHeader{Total: 3, Hash: sum(b + 1)}}
	}
	at := time.Date(2026, 11, 25, 13, 0, 0, 123456789, time.UTC)
	votes := []types.Vote{
		{Type: cmtproto.PrevoteType, Height: 7, Round: 0, BlockID: id(0x11), Timestamp: at},
		{Type: cmtproto.PrecommitType, Height: 123456, Round: 2, BlockID: id(0x22), Timestamp: at},
		{Type: cmtproto.PrecommitType, Height: 123456, Round: 2, Timestamp: at.Add(time.Second)},
	}
	var out []map[string]any
	for _, v := range votes {
		v := v
		bytes := types.VoteSignBytes("test-four-0123456789ab", v.ToProto())
		s, _ := key.Sign(bytes)
		out = append(out, map[string]any{"chain": "test-four-0123456789ab", "type": int(v.Type), "height": v.Height, "round": v.Round,
			"block": hex.EncodeToString(v.BlockID.Hash), "parts": v.BlockID.PartSetHeader.Total, "parts_hash": hex.EncodeToString(v.BlockID.PartSetHeader.Hash),
			"sign_bytes": hex.EncodeToString(bytes), "signature": hex.EncodeToString(s)})
	}
	js, _ := json.MarshalIndent(map[string]any{"key": hex.EncodeToString(key.PubKey().Bytes()), "votes": out}, "", "  ")
	fmt.Println(string(js))
}
