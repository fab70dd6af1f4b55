//! The functions and operators that there are, with the types that they take: CEL's standard ones
//! and those of Kubernetes' environment (apiserver v0.36, `pkg/cel/environment/base.go`).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::types::Type;

/// One form of a function.
pub(super) struct Signature {
    /// Whether it is called on its first argument.
    pub(super) is_method: bool,
    pub(super) takes: Vec<Type<'static>>,
    pub(super) gives: Type<'static>,
}

/// The forms of a function, by its name; functions of libraries are called `sets.contains`.
pub(super) fn of(name: &str) -> Option<&'static [Signature]> {
    static TABLE: OnceLock<BTreeMap<&'static str, Vec<Signature>>> = OnceLock::new();
    TABLE.get_or_init(read).get(name).map(Vec::as_slice)
}

fn read() -> BTreeMap<&'static str, Vec<Signature>> {
    let mut table: BTreeMap<&'static str, Vec<Signature>> = BTreeMap::new();
    for line in FUNCTIONS.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        for form in words {
            let (takes, gives) = form.split_once('>').unwrap_or((form, "d"));
            let (is_method, takes) = match takes.strip_prefix('.') {
                Some(takes) => (true, takes),
                None => (false, takes),
            };
            let mut letters = takes.chars();
            let mut list = Vec::new();
            while let Some(next) = kind(&mut letters) {
                list.push(next);
            }
            let gives = kind(&mut gives.chars()).unwrap_or(Type::Dyn);
            table.entry(name).or_default().push(Signature { is_method, takes: list, gives });
        }
    }
    table
}

fn kind(letters: &mut std::str::Chars<'_>) -> Option<Type<'static>> {
    Some(match letters.next()? {
        'b' => Type::Bool,
        'i' => Type::Int,
        'u' => Type::Uint,
        'f' => Type::Double,
        's' => Type::Text,
        'y' => Type::Bytes,
        't' => Type::Time,
        'r' => Type::Duration,
        'n' => Type::Null,
        'T' => Type::Kind,
        'L' => Type::list(kind(letters)?),
        'M' => Type::Map(Box::new(kind(letters)?), Box::new(kind(letters)?)),
        'O' => Type::Optional(Box::new(kind(letters)?)),
        'U' => Type::Of("kubernetes.URL"),
        'Q' => Type::Of("kubernetes.Quantity"),
        'P' => Type::Of("net.IP"),
        'C' => Type::Of("net.CIDR"),
        'F' => Type::Of("kubernetes.NamedFormat"),
        'V' => Type::Of("kubernetes.Semver"),
        letter @ ('A' | 'B') => Type::Parameter(letter),
        _ => Type::Dyn,
    })
}

/// A function a line: its name and its forms, `.` before those of methods. Letters are types:
/// b bool, i int, u uint, f double, s string, y bytes, t timestamp, r duration, d dyn, T type,
/// L list of, M map of, O optional of, A and B any; U URL, Q quantity, P and C addresses, F format,
/// V version.
const FUNCTIONS: &str = "
!_ b>b
-_ i>i f>f r>r
@not_strictly_false b>b
_?_:_ bAA>A
_&&_ bb>b
_||_ bb>b
_==_ AA>b
_!=_ AA>b
_<_ bb>b ii>b if>b iu>b uu>b uf>b ui>b ff>b fi>b fu>b ss>b yy>b tt>b rr>b
_<=_ bb>b ii>b if>b iu>b uu>b uf>b ui>b ff>b fi>b fu>b ss>b yy>b tt>b rr>b
_>_ bb>b ii>b if>b iu>b uu>b uf>b ui>b ff>b fi>b fu>b ss>b yy>b tt>b rr>b
_>=_ bb>b ii>b if>b iu>b uu>b uf>b ui>b ff>b fi>b fu>b ss>b yy>b tt>b rr>b
_+_ ii>i uu>u ff>f ss>s yy>y LALA>LA tr>t rt>t rr>r
_-_ ii>i uu>u ff>f tt>r tr>t rr>r
_*_ ii>i uu>u ff>f
_/_ ii>i uu>u ff>f
_%_ ii>i uu>u
@in ALA>b AMAB>b
_[_] LAi>A MABA>B OLAi>OA OMABA>OB
_[?_] LAi>OA MABA>OB OLAi>OA OMABA>OB
size s>i y>i LA>i MAB>i .s>i .y>i .LA>i .MAB>i
type A>T
dyn A>d
bool b>b s>b
bytes y>y s>y
double f>f i>f s>f u>f
duration r>r s>r i>r
int i>i f>i r>i s>i t>i u>i
string s>s b>s y>s f>s r>s i>s t>s u>s P>s C>s
timestamp t>t s>t i>t
uint u>u f>u i>u s>u
contains .ss>b
endsWith .ss>b
startsWith .ss>b
matches ss>b .ss>b
getFullYear .t>i .ts>i
getMonth .t>i .ts>i
getDayOfYear .t>i .ts>i
getDayOfMonth .t>i .ts>i
getDate .t>i .ts>i
getDayOfWeek .t>i .ts>i
getHours .t>i .ts>i .r>i
getMinutes .t>i .ts>i .r>i
getSeconds .t>i .ts>i .r>i
getMilliseconds .t>i .ts>i .r>i
charAt .si>s
format .sLd>s
indexOf .ss>i .ssi>i .LAA>i
join .Ls>s .Lss>s
lastIndexOf .ss>i .ssi>i .LAA>i
lowerAscii .s>s
replace .sss>s .sssi>s
split .ss>Ls .ssi>Ls
substring .si>s .sii>s
trim .s>s
upperAscii .s>s
strings.quote s>s
sets.contains LALA>b
sets.equivalent LALA>b
sets.intersects LALA>b
isSorted .Li>b .Lf>b .Lb>b .Ls>b .Lt>b .Lr>b .Ly>b .Lu>b
sum .Li>i .Lu>u .Lf>f .Lr>r
min .Li>i .Lu>u .Lf>f .Lb>b .Lr>r .Lt>t .Ls>s .Ly>y
max .Li>i .Lu>u .Lf>f .Lb>b .Lr>r .Lt>t .Ls>s .Ly>y
slice .LAii>LA
flatten .LLA>LA .LAi>Ld
distinct .LA>LA
first .LA>OA
last .LA>OA
reverse .LA>LA
sort .LA>LA
lists.range i>Li
find .ss>s
findAll .ss>Ls .ssi>Ls
url s>U
isURL s>b
getScheme .U>s
getHost .U>s
getHostname .U>s
getPort .U>s
getEscapedPath .U>s
getQuery .U>MsLs
quantity s>Q
isQuantity s>b
sign .Q>i
isGreaterThan .QQ>b .VV>b
isLessThan .QQ>b .VV>b
compareTo .QQ>i .VV>i
asApproximateFloat .Q>f
asInteger .Q>i
isInteger .Q>b
add .QQ>Q .Qi>Q
sub .QQ>Q .Qi>Q
ip s>P .C>P
isIP s>b
ip.isCanonical s>b
family .P>i
isUnspecified .P>b
isLoopback .P>b
isLinkLocalMulticast .P>b
isLinkLocalUnicast .P>b
isGlobalUnicast .P>b
cidr s>C
isCIDR s>b
containsIP .Cs>b .CP>b
containsCIDR .Cs>b .CC>b
prefixLength .C>i
masked .C>C
format.named s>OF
format.dns1123Label >F
format.dns1123Subdomain >F
format.dns1035Label >F
format.qualifiedName >F
format.dns1123LabelPrefix >F
format.dns1123SubdomainPrefix >F
format.dns1035LabelPrefix >F
format.labelValue >F
format.uri >F
format.uuid >F
format.byte >F
format.date >F
format.datetime >F
validate .Fs>OLs
semver s>V sb>V
isSemver s>b sb>b
major .V>i
minor .V>i
patch .V>i
optional.of A>OA
optional.ofNonZeroValue A>OA
optional.none >OA
hasValue .OA>b
value .OA>A
or .OAOA>OA
orValue .OAA>A
jsonpatch.escapeKey s>s
";
