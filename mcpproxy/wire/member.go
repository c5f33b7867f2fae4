package wire

// Member names a value on which the proxy decides and whose place a [Frame] therefore remembers.
type Member uint8

// The members. Their names follow the schema of the protocol: the object, then the member.
const (
	none Member = iota

	ID
	Method
	Params
	Result
	Error
	jsonrpc

	ParamsName
	ParamsURI
	ParamsArguments
	ParamsMeta
	ParamsCursor
	ParamsProtocolVersion
	ParamsCapabilities
	ParamsClientInfo
	ParamsRef
	ParamsLevel
	ParamsProgressToken
	ParamsRequestID
	ParamsTask
	ParamsTaskID
	ParamsRequestState
	ParamsInputResponses
	ParamsNotifications

	RefType
	RefName
	RefURI

	MetaProgressToken
	MetaProtocolVersion
	MetaClientInfo
	MetaClientCapabilities
	MetaLogLevel
	MetaSubscriptionID

	ResultType
	ResultTools
	ResultPrompts
	ResultResources
	ResultTemplates
	ResultNextCursor
	ResultCacheScope
	ResultTTL
	ResultContent
	ResultStructured
	ResultIsError
	ResultProtocolVersion
	ResultSupportedVersions
	ResultCapabilities
	ResultServerInfo
	ResultInstructions
	ResultInputRequests
	ResultRequestState
	ResultTask
	ResultTasks
	ResultMeta

	ErrorCode
	ErrorMessage
	ErrorData

	memberCount
)
