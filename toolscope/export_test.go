package toolscope

// Normalize is for the tests of what no message shows.
var Normalize = normalize

// AppendLook lets tests ask for a look without a list.
var AppendLook = appendLook
