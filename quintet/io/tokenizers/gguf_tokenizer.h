// The tokenizer that a GGUF file carries in its metadata.
#pragma once

#include "quintet/core/result.h"
#include "quintet/io/formats/gguf_metadata.h"
#include "quintet/io/tokenizers/bpe_definition.h"

namespace quintet::io {

// Models "gpt2" (byte-level BPE; "tokenizer.ggml.pre" names how text is split) and "llama"
// (SentencePiece's BPE, whose tokens with the highest scores merge first). Control tokens and those
// that users defined become added tokens, the first kind special; AddSpecial puts the tokens around
// a text that add_bos_token and add_eos_token ask for.
// Errors: kNotFound and kCorrupt, naming the key; kUnsupported for other models and splits;
// kExhausted past 1,048,576 tokens.
// Source: the description of GGUF and the code of llama.cpp (llama-vocab.cpp), for what the names
// of splits mean and for the defaults.
Result<BpeDefinition> gguf_tokenizer(const GgufMetadata& metadata);

}  // namespace quintet::io
