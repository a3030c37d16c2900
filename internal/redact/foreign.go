package redact

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file recognizes the word for a password in languages other than English, as the name of
// a key: Passwort, contraseña, "mot de passe", пароль, 密码. Case and diacritics do not matter.

// foreignWords are such words after fold. A name that ends in one of them names a password.
var foreignWords = func() (words []string) {
	for word := range strings.FieldsSeq(`
		Passwort Kennwort mot_de_passe contraseña contrasenya contrasinal senha palavra-passe hasło wachtwoord heslo jelszó lösenord
		adgangskode kodeord passord parola parola_d'ordine şifre salasana mật_khẩu kata_sandi slaptažodis parool lozinka zaporka geslo lykilorð
		пароль парола лозинка κωδικός κωδικός_πρόσβασης συνθηματικό סיסמה סיסמא ססמה كلمة_المرور كلمة_السر كلمه_المرور كلمه_السر رمز_عبور گذرواژه
		पासवर्ड รหัสผ่าน 密码 密碼 口令 パスワード ﾊﾟｽﾜｰﾄﾞ 비밀번호 암호 패스워드`) {
		words = append(words, fold(word))
	}
	return words
}()

// asciiForeign are the words in ASCII by their last three letters, for a fast check.
var asciiForeign = func() map[string][]string {
	byEnd := map[string][]string{}
	for _, word := range foreignWords {
		if word[len(word)-1] < utf8.RuneSelf {
			byEnd[word[len(word)-3:]] = append(byEnd[word[len(word)-3:]], word)
		}
	}
	return byEnd
}()

// endsForeign reports whether name ends in one of foreignWords. name is ASCII, in lower case
// and without separators.
func endsForeign(name []byte) bool {
	if len(name) < 5 { // "sifre"
		return false
	}
	for _, word := range asciiForeign[string(name[len(name)-3:])] {
		if len(name) >= len(word) && string(name[len(name)-len(word):]) == word {
			return true
		}
	}
	return false
}

// isForeign reports the same for any name.
func isForeign(name string) bool {
	if isASCII(name) {
		var room [longestName]byte
		lower := room[:0]
		for _, c := range []byte(strings.TrimRight(name[max(0, len(name)-longestName):], "0123456789")) {
			switch c {
			case ' ', '_', '-', '.', '\'', '+':
				continue
			}
			if c-'A' < 26 {
				c |= 0x20
			}
			lower = append(lower, c)
		}
		return endsForeign(lower)
	}
	folded := fold(name)
	for _, word := range foreignWords {
		if strings.HasSuffix(folded, word) {
			return true
		}
	}
	return false
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// fold converts a name to lower case and removes separators, final digits, and the diacritics
// of Latin and Greek letters.
func fold(name string) string {
	var b strings.Builder
	for _, r := range strings.TrimRight(name, "0123456789") {
		switch {
		case r == ' ', r == '_', r == '-', r == '.', r == '\'', r == '’', r == '+', r == '\u00a0', unicode.Is(unicode.Mn, r) && r < 0x0370:
			continue
		}
		if plain, ok := withoutMark[r]; ok {
			r = plain
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// withoutMark maps the letters with diacritics in the languages of foreignWords.
var withoutMark = func() map[rune]rune {
	letters := map[rune]rune{}
	for plain, marked := range map[rune]string{
		'a': "áàâäãåāăąạảấầẩẫậắằẳẵặÁÀÂÄÃÅĀĂĄẠẢẤẦẨẪẬẮẰẲẴẶ", 'c': "çćčÇĆČ", 'e': "éèêëēėęÉÈÊËĒĖĘ", 'i': "íìîïīıİÍÌÎÏĪ", 'l': "łŁ", 'n': "ñńňÑŃŇ",
		'o': "óòôöõőøÓÒÔÖÕŐØ", 's': "śşšșŚŞŠȘ", 'u': "úùûüūůűÚÙÛÜŪŮŰ", 'y': "ýÝ", 'z': "źżžŹŻŽ", 'd': "ðđÐĐ", 'ο': "όΌ", 'ι': "ίΊ", 'η': "ήΉ", 'σ': "ςΣ",
	} {
		for _, r := range marked {
			letters[r] = plain
		}
	}
	return letters
}()

// longestForeign limits the search for the beginning of a foreign name. A Thai or Arabic word
// in escapes is that long.
const longestForeign = 200

// foreignName returns where the foreign name of a password starts that ends at s[end]. s[at:end]
// are its last ASCII letters, if any.
func foreignName(s string, at, end int) (start int, ok bool) {
	if at == 0 {
		return 0, false
	}
	switch c := s[at-1]; {
	case c >= utf8.RuneSelf:
	case c == ' ' || c == '+':
		if !lastWord(s[at:end]) {
			return 0, false
		}
	case at >= 3 && s[at-3] == '%', at >= 6 && s[at-5] == 'u' && s[at-6] == '\\':
	default:
		return 0, false
	}
	limit := max(0, end-longestForeign)
	for start = end; start > limit; start-- {
		if c := s[start-1]; c < utf8.RuneSelf && !nameBytes[c] && c != '\\' && c != '%' && c != ' ' && c != '\'' && c != '+' {
			break
		}
	}
	for start < end && !utf8.RuneStart(s[start]) {
		start++
	}
	if name := s[start:end]; name != "" && isForeign(unescapeName(name)) {
		return start, true
	}
	return 0, false
}

// lastWord reports whether word is the last word of a name of several words.
func lastWord(word string) bool {
	return strings.EqualFold(word, "passe") || strings.EqualFold(word, "khau") || strings.EqualFold(word, "sandi") || strings.EqualFold(word, "ordine")
}

// unescapeName decodes \uXXXX and %XX in a name.
func unescapeName(name string) string {
	if strings.IndexByte(name, '\\') < 0 && strings.IndexByte(name, '%') < 0 {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] == '%' && i+2 < len(name):
			if strings.HasPrefix(name[i+1:], "25") { // % in a URL inside a URL
				name = name[:i+1] + name[i+3:]
				i--
				continue
			}
			if c, err := strconv.ParseUint(name[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
			}
		case name[i] == '\\':
			if i+5 < len(name) && name[i+1] == 'u' {
				if c, err := strconv.ParseUint(name[i+2:i+6], 16, 16); err == nil {
					b.WriteRune(rune(c))
					i += 5
				}
			}
		default:
			b.WriteByte(name[i])
		}
	}
	return b.String()
}
