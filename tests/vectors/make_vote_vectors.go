// Votes as CometBFT 0.39.4 signs them, for tests/ledger/evidence_test.cpp, and blocks with evidence as it writes them,
// for tests/engine/evidence_test.cpp (what is not evidence was cut away there). Run inside a module that requires
// github.com/cometbft/cometbft v0.39.4: go run make_vote_vectors.go

package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
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
	evidence()
}

func evidence() {
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
	vote := func(b types.BlockID, t time.Time, r int32) *types.Vote {
		v := &types.Vote{Type: cmtproto.PrecommitType, Height: 123456, Round: r, BlockID: b, Timestamp: t, ValidatorAddress: key.PubKey().Address(), ValidatorIndex: 2}
		s, _ := key.Sign(types.VoteSignBytes("test-four-0123456789ab", v.ToProto()))
		v.Signature = s
		return v
	}
	val := types.NewValidator(key.PubKey(), 100)
	for _, pair := range [][2]*types.Vote{{vote(id(0x22), at, 2), vote(types.BlockID{}, at.Add(877*time.Millisecond), 2)}, {vote(id(0x22), at, 0), vote(id(0x24), at.Truncate(time.Second), 0)}} {
		ev, err := types.NewDuplicateVoteEvidence(pair[0], pair[1], at, types.NewValidatorSet([]*types.Validator{val}))
		if err != nil {
			panic(err)
		}
		block := types.MakeBlock(9, nil, &types.Commit{}, []types.Evidence{ev})
		js, err := cmtjson.Marshal(ctypes.ResultBlock{BlockID: id(1), Block: block})
		if err != nil {
			panic(err)
		}
		fmt.Println(string(js))
	}
}
